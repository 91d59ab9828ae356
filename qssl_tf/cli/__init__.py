"""Commands: what a user types, flag by flag; each calls the package as Python does."""
