"""Gateways out of their settings."""

from __future__ import annotations

from sms.cmpp_gateway import CmppGateway
from sms.cmpp_settings import CmppSettings
from sms.gateway import Gateway
from sms.http_gateway import make_http_gateway
from sms.http_settings import HttpSettings
from sms.route_choice import Limits
from sms.routes import Routes
from sms.settings import GatewaySettings, SmsSettings
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings
from sms.twilio_gateway import make_twilio_gateway
from sms.twilio_settings import TwilioSettings


def make_gateway(settings: GatewaySettings) -> Gateway:
    """The gateway of a [[sms.gateways]] section."""
    match settings:
        case SmppSettings():
            return SmppGateway(settings)
        case CmppSettings():
            return CmppGateway(settings)
        case HttpSettings():
            return make_http_gateway(settings)
        case TwilioSettings():
            return make_twilio_gateway(settings)


def make_gateways(settings: SmsSettings) -> Gateway:
    """All gateways of [sms] behind one; a single one needs no routes."""
    gateways = [(make_gateway(each), each.priority) for each in settings.gateways]
    if len(gateways) == 1:
        return gateways[0][0]
    return Routes(gateways, Limits(settings.failures_in_a_row, settings.aside_seconds))
