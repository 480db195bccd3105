"""Write pages for people: the evaluation report, the model card, the data report."""
