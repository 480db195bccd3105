"""Pages for a person: the evaluation report, the model card, the data report."""
