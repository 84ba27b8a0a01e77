"""What is true of Envoy, whoever drives it. Pure, and knows no other room.

`protos` the messages, `types` what is served and in which order, `wire` joining serialised parts, `table` what a proxy
shall have, `consistent` whether its references resolve, `bootstrap` how a proxy starts, `static` a Table without xDS.
"""
