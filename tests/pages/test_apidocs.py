"""Swagger UI in a browser, from the package."""

from __future__ import annotations


def test_swagger_ui_shows_the_model_and_tries_a_request(visit, expect):
    page = visit("sales/apidocs")
    page.locator("#operations-Predict-predict .opblock-summary-control").first.click()
    opened = page.locator(".opblock.is-open")
    opened.locator(".try-out__btn").click()
    opened.locator(".execute").click()
    expect(opened.locator(".live-responses-table").first).to_contain_text('"prediction"')
