"""Networks: one module a family. docs/adding.md lists what it has to hold."""
