"""Where every activation lives in the one static arena."""
