import math


def make_features(tx):
    return [math.log1p(tx['amount']), tx['hour'], int(tx['country'] != tx['card_country'])]
