"""For views of the wrapped app: one module for each framework, which nothing else imports."""
