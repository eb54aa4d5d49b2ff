"""The routes of the portal, under `/portal/`."""

from __future__ import annotations

from django.urls import path

from lockgate.control.portal import apis, exceptions, feeds, learning, notices, operations, pages, texts

_API = "apis/<str:name>/"
_VERSION = f"{_API}versions/<str:version>/"
_OPERATION = f"{_VERSION}operations/<str:operation>/"

urlpatterns = [
    path("", pages.home, name="portal_home"),
    path("search/", apis.search, name="portal_search"),
    path("llms.txt", texts.llms, name="portal_llms"),
    path("apis/", apis.apis, name="portal_apis"),
    path(_API, apis.api, name="portal_api"),
    path(f"{_API}index.md", texts.api, name="portal_api_text"),
    path(f"{_API}changelog/", apis.changes, name="portal_changelog"),
    path(f"{_API}changelog.md", texts.changes, name="portal_changelog_text"),
    path(f"{_API}changelog.rss", feeds.changes, name="portal_feed"),
    path(f"{_API}guides/<str:guide>/", apis.guide, name="portal_guide"),
    path(f"{_API}guides/<str:guide>/index.md", texts.guide, name="portal_guide_text"),
    path(f"{_API}versions/", apis.versions, name="portal_versions"),
    path(_VERSION, apis.version, name="portal_version"),
    path(f"{_VERSION}index.md", texts.version, name="portal_version_text"),
    path(f"{_VERSION}openapi.json", apis.openapi, name="portal_openapi"),
    path(f"{_VERSION}schemas/<str:schema>/", apis.schema, name="portal_schema"),
    path(_OPERATION, operations.operation, name="portal_operation"),
    path(f"{_OPERATION}try/", operations.attempt, name="portal_try"),
    path(f"{_OPERATION}index.md", texts.operation, name="portal_operation_text"),
    path("exceptions/", exceptions.exceptions, name="portal_exceptions"),
    path("exceptions/dispute/", exceptions.dispute, name="portal_dispute"),
    path("usage/", pages.usage, name="portal_usage"),
    path("notices/", notices.notices, name="portal_notices"),
    path("status/", pages.status, name="portal_status"),
    path("learn/", learning.learning, name="portal_learning"),
    path("learn/<str:name>/", learning.lesson, name="portal_lesson"),
    path("learn/<str:name>/index.md", texts.lesson, name="portal_lesson_text"),
]
