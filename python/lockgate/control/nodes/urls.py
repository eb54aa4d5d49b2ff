"""The pages of nodes."""

from __future__ import annotations

from django.urls import path

from lockgate.control.nodes import pages

urlpatterns = [
    path("nodes/", pages.nodes, name="nodes"),
    path("nodes/<str:name>/remove/", pages.remove, name="remove_node"),
    path("nodes/revisions/<int:number>/again/", pages.again, {"kind": "revision"}, name="publish_again"),
    path(
        "nodes/directories/<int:number>/again/",
        pages.again,
        {"kind": "directory"},
        name="publish_directory_again",
    ),
]
