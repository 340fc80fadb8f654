"""Whole models of Keras (.keras, .h5), through Keras 3 on its torch backend; TensorFlow is never imported.

exporting.export(sniffed, path)   as a program of torch.export, which needs Keras no more; False where it cannot be one
loader.load(sniffed)              -> TorchModel that Keras itself answers, for what torch.export cannot follow
"""

import os

os.environ["KERAS_BACKEND"] = "torch"  # before keras is imported: it looks once
