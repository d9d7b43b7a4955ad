"""What happens to damaged files and killed processes?"""
