"""Studies: a claim of the design guide as a comparison of trials on the user's own data."""
