"""The review: a local web app over an OUT."""
