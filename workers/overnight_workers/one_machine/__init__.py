"""Everything on one machine: the embedded servers, the processes, and who looks after them."""
