import pickle
from typing import List

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="Penguins", version="1.0")
models = {}


class Penguin(BaseModel):
    bill_length: float
    flipper_length: float
    body_mass: float


class Species(BaseModel):
    species: str


@app.on_event("startup")
def load_model():
    with open("penguins.pkl", "rb") as f:
        models["clf"] = pickle.load(f)


@app.get("/")
async def root():
    return {"message": "Penguins, see /docs"}


@app.post("/predict", response_model=Species)
async def predict(penguin: Penguin):
    if "clf" not in models:
        raise HTTPException(status_code=503, detail="Model not loaded")
    row = [[penguin.bill_length, penguin.flipper_length, penguin.body_mass]]
    return {"species": models["clf"].predict(row)[0]}


@app.post("/predict_many", response_model=List[Species])
def predict_many(penguins: List[Penguin]):
    rows = [[p.bill_length, p.flipper_length, p.body_mass] for p in penguins]
    return [{"species": s} for s in models["clf"].predict(rows)]


if __name__ == "__main__":
    uvicorn.run("main:app", host="127.0.0.1", port=8000, reload=True)
