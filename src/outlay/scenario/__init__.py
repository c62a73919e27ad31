"""The user's file: what it may say, how it is read, what is refused, and the scenarios that come with the package."""
