"""From a Program to C text, through Jinja."""
