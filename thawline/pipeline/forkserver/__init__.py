"""A process with the libraries loaded, from which the stages of an execution are forked."""
