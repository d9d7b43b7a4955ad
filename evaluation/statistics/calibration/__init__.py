"""Are scores probabilities, and what is acting on them worth?"""
