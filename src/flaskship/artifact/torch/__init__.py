"""Programs of torch: TorchScript (.pt) and torch.export (.pt2), and what makes one of a class and its weights.

loader.load(sniffed)                                   -> TorchModel
exporting.export(net, example, path)                   a `torch.nn.Module` as a .pt2, which needs its class no more
"""
