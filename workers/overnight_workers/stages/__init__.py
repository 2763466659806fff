"""The stages of an item, one room each; with them what several stages share."""
