"""Accept: messages of producers become rows."""
