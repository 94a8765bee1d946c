"""What behaviour is: principals, requests, counts and surprises, as SQL and matrices."""
