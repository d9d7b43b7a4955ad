"""How fast is it, beside what one would run without this project?"""
