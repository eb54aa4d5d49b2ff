"""Every route of the control plane. What needs nobody to be signed in says so itself."""

from __future__ import annotations

from allauth.account import views as account
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from lockgate.control import well_known
from lockgate.control.accounts import pages as identity
from lockgate.control.api.admin import api
from lockgate.control.api.logs import audit_logs
from lockgate.control.console import admin, entrance, pages
from lockgate.control.portal import texts

_routes, _app, _namespace = api.urls
for _route in _routes:
    # Each of these asks for a credential itself, and answers 401 where a page leads to the sign-in.
    if _route.callback is not None:
        _route.callback = login_not_required(_route.callback)

urlpatterns = [
    path(".well-known/api-catalog", well_known.api_catalog, name="api_catalog"),
    path(".well-known/security.txt", well_known.security_txt, name="security_txt"),
    path(".well-known/change-password", well_known.change_password, name="change_password"),
    path("", pages.overview, name="overview"),
    path("live/", pages.live, name="live"),
    path("llms.txt", texts.llms, name="llms"),
    path("portal/", include("lockgate.control.portal.urls")),
    path("", include("lockgate.control.feedback.urls")),
    path("", include("lockgate.control.access.urls")),
    path("", include("lockgate.control.owners.urls")),
    path("", include("lockgate.control.routes.urls")),
    path("", include("lockgate.control.notify.urls")),
    path("", include("lockgate.control.alerts.urls")),
    path("", include("lockgate.control.analytics.urls")),
    path("", include("lockgate.control.nodes.urls")),
    path("exceptions/", pages.exceptions, name="exceptions"),
    path("recordings/", pages.recordings, name="recordings"),
    path("settings/", pages.settings, name="settings"),
    path("audit/", pages.audit_log, name="audit"),
    path("users/", admin.users, name="users"),
    path("users/<int:pk>/", admin.user, name="user"),
    path("tokens/", admin.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", admin.revoke, name="revoke"),
    path("set-up/<str:token>/", entrance.set_up, name="set_up"),
    path("link/<str:token>/", entrance.link, name="link"),
    path("", include("lockgate.control.changes.urls")),
    path("", include("lockgate.control.feeds.urls")),
    path("audit/logs", audit_logs, name="audit_logs"),
    path("api/v1/", (_routes, _app, _namespace)),
    path("account/login/", account.login, name="account_login"),
    path("account/logout/", account.logout, name="account_logout"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("account/password/", account.password_change, name="account_change_password"),
    path("account/factors/", include("allauth.mfa.urls")),
    path("account/sign-up/", identity.ask_sign_up, name="account_signup"),
    path("account/sign-up/<str:token>/", identity.sign_up, name="sign_up"),
    path("account/forgotten/", identity.forgotten, name="account_reset_password"),
    path("account/provider/", identity.provider, name="openid_connect_login"),
    path("account/provider/<str:provider_id>/", openid_connect.callback, name="openid_connect_callback"),
    path("account/provider/leave/<int:pk>/", identity.leave_provider, name="leave_provider"),
    # allauth leads to these by name; nobody changes an address alone.
    path("account/set-password/", entrance.closed, name="account_set_password"),
    path("account/email/", entrance.closed, name="account_email"),
    path("account/provider-sign-up/", entrance.closed, name="socialaccount_signup"),
    path("account/provider-cancelled/", identity.cancelled, name="socialaccount_login_cancelled"),
    path("account/provider-error/", identity.cancelled, name="socialaccount_login_error"),
    path("account/providers/", identity.cancelled, name="socialaccount_connections"),
]
handler400 = "lockgate.control.console.errors.bad_request"
handler403 = "lockgate.control.console.errors.forbidden"
handler404 = "lockgate.control.console.errors.not_found"
handler500 = "lockgate.control.console.errors.server_error"
