"""Compare designs on the user's own data: each study tests claims of the design guide."""
