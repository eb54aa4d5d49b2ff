"""Every route of the control plane. What needs nobody to be signed in says so itself."""

from __future__ import annotations

from allauth.account import views as account
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from lockgate.control.api.admin import api
from lockgate.control.api.logs import audit_logs
from lockgate.control.console import admin, entrance, pages

_routes, _app, _namespace = api.urls
for _route in _routes:
    # Each of these asks for a credential itself, and answers 401 where a page leads to the sign-in.
    if _route.callback is not None:
        _route.callback = login_not_required(_route.callback)

urlpatterns = [
    path("", pages.overview, name="overview"),
    path("live/", pages.live, name="live"),
    path("portal/", include("lockgate.control.portal.urls")),
    path("", include("lockgate.control.alerts.urls")),
    path("", include("lockgate.control.analytics.urls")),
    path("exceptions/", pages.exceptions, name="exceptions"),
    path("audit/", pages.audit_log, name="audit"),
    path("users/", admin.users, name="users"),
    path("users/<int:pk>/", admin.user, name="user"),
    path("tokens/", admin.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", admin.revoke, name="revoke"),
    path("set-up/<str:token>/", entrance.set_up, name="set_up"),
    path("link/<str:token>/", entrance.link, name="link"),
    path("", include("lockgate.control.changes.urls")),
    path("audit/logs", audit_logs, name="audit_logs"),
    path("api/v1/", (_routes, _app, _namespace)),
    path("account/login/", account.login, name="account_login"),
    path("account/logout/", account.logout, name="account_logout"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("account/password/", account.password_change, name="account_change_password"),
    path("account/factors/", include("allauth.mfa.urls")),
    # allauth leads to these by name; nobody signs up or changes an address, and a link is asked of an admin.
    path("account/sign-up/", entrance.closed, name="account_signup"),
    path("account/forgotten/", entrance.closed, name="account_reset_password"),
    path("account/set-password/", entrance.closed, name="account_set_password"),
    path("account/email/", entrance.closed, name="account_email"),
]
handler400 = "lockgate.control.console.errors.bad_request"
handler403 = "lockgate.control.console.errors.forbidden"
handler404 = "lockgate.control.console.errors.not_found"
handler500 = "lockgate.control.console.errors.server_error"
