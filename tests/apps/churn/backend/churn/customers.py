from flask import Blueprint, jsonify

customers = Blueprint('customers', __name__)

CUSTOMERS = {
    1: {'name': 'Amal', 'tenure': 3, 'monthly': 89.5, 'calls': 6},
    2: {'name': 'Bruno', 'tenure': 48, 'monthly': 25.0, 'calls': 0},
}


@customers.route('/<int:number>')
def show(number):
    if number not in CUSTOMERS:
        return jsonify({'error': 'No such customer'}), 404
    return jsonify(CUSTOMERS[number])
