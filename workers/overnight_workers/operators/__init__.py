"""What operators see and may say: the command line and the pages in Flower stand on it."""
