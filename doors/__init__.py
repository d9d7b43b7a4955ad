"""What lies behind the three doors: the only place where features, heads and evaluation meet."""
