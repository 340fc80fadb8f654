"""What a fitted model knows of its columns, whatever library made it: types, categories, ranges, splits."""
