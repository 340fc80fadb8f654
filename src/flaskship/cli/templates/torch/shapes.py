"""Which shape is on a picture?"""

import torch
from net import SHAPES, network, tensor
from PIL import Image

from flaskship import Labels, endpoint


class Shapes:
    def __init__(self) -> None:  # once, before the first request
        torch.set_num_threads(1)  # the server has threads of its own
        self.net = network().eval()
        self.net.load_state_dict(torch.load("net.pt", weights_only=True))

    @endpoint(batch=16)
    def shape(self, image: list[Image.Image]) -> list[Labels]:
        """How likely the picture shows a circle, a square or a triangle."""
        with torch.inference_mode():
            found = self.net(tensor(image)).softmax(dim=1).tolist()
        return [Labels(dict(zip(SHAPES, each, strict=True))) for each in found]
