"""A folder that `save_pretrained` of transformers wrote, as functions: one a task, of text or of pictures.

checkpoint    what a folder holds, read without transformers
loader        folder -> functions: the architecture in its config says which
ways          a function of ours, with its arguments' limits and defaults, as a `FunctionModel`
batches       texts of several callers by length, pictures by shape
encoders, generators, vision    the tasks
"""
