"""Do the figures mean what they say: intervals, baselines without an image, copies of patients?"""
