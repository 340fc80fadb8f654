from flask import Flask, jsonify


def create_app(config=None):
    app = Flask(__name__)
    app.config['JSON_SORT_KEYS'] = False
    if config:
        app.config.update(config)

    from .customers import customers
    from .predictions import predictions

    app.register_blueprint(customers, url_prefix='/api/customers')
    app.register_blueprint(predictions, url_prefix='/api')

    @app.errorhandler(404)
    def not_found(error):
        return jsonify({'error': 'Not found'}), 404

    return app
