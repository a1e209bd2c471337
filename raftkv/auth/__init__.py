"""Users, roles and what they may touch: replicated state, and how a caller proves who it is.

state        users, roles, on or off, the auth revision: rows of AUTH, changed by log entries only
permissions  what a user may read and write, merged from its roles
access       one walk over a request as the client sent it: what it would read and write
passwords    bcrypt, beside the event loop
tokens, jwt_tokens   what stands for a password once it was checked
"""
