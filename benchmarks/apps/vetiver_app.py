"""vetiver's own way to serve a model."""

import os
from pathlib import Path

import joblib
import pandas as pd
import vetiver

model = joblib.load(Path(os.environ["MODEL"]))
prototype = pd.DataFrame([{"age": 45, "new_user": 0, "total_pages_visited": 5}])
app = vetiver.VetiverAPI(vetiver.VetiverModel(model, model_name="sales", prototype_data=prototype)).app
