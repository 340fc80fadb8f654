"""Models with scikit-learn's API, whose import brings scikit-learn and pandas: `loader` opens one."""
