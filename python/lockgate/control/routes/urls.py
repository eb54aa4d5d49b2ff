"""The pages of what is served."""

from __future__ import annotations

from django.urls import path

from lockgate.control.routes import pages

urlpatterns = [
    path("apis/", pages.apis, name="served_apis"),
    path("apis/<str:api>/<str:version>/", pages.version, name="served_api_version"),
    path("policies/", pages.policies, name="policies"),
]
