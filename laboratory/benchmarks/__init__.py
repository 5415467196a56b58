"""What a guided step costs, measured."""
