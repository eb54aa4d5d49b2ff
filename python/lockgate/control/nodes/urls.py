"""The pages of nodes."""

from __future__ import annotations

from django.urls import path

from lockgate.control.nodes import pages

urlpatterns = [
    path("nodes/", pages.nodes, name="nodes"),
    path("nodes/<str:name>/remove/", pages.remove, name="remove_node"),
    path("nodes/revisions/<int:number>/again/", pages.again, name="publish_again"),
]
