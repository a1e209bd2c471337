"""TLS for every listener and every dialler of a node: settings, contexts that follow their files, certificates of our own making."""

from raftkv.tls.contexts import ClientTLS, ServerTLS
from raftkv.tls.listener import TLSListener, Visitor
from raftkv.tls.settings import TLSSettings

__all__ = ["ClientTLS", "ServerTLS", "TLSListener", "TLSSettings", "Visitor"]
