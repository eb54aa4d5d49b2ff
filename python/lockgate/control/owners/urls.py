"""The routes of owners of APIs."""

from __future__ import annotations

from django.urls import path

from lockgate.control.owners import pages

urlpatterns = [
    path("owners/", pages.owners, name="api_owners"),
    path("owners/<str:api>/", pages.owner, name="api_owner"),
]
