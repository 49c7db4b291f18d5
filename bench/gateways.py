"""The gateways that are compared, each started with the same routes to one backend.

All of them with one worker, a fresh backend connection for each request, streaming in
both directions, X-Forwarded-* fields, and no access log.
"""

import shutil

from measure import BUILD, Process, ROOT, free_port, wait_for_port

FOLDER = BUILD / "bench"
NODE = FOLDER / "peers/node_modules/node/bin/node"

NGINX = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 0;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
  map $http_upgrade $connection_note {{ default upgrade; '' close; }}
  proxy_http_version 1.1; proxy_request_buffering off; proxy_max_temp_file_size 0;
  proxy_set_header Host $http_host; proxy_set_header Connection $connection_note;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto http;
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""

HAPROXY = """\
global
  nbthread 1
  maxconn 2048
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  option http-server-close
  option forwardfor
  http-reuse never
frontend in
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  use_backend %[path,map_beg({map},none)]
backend none
  http-request return status 404
backend app
  server app 127.0.0.1:{backend}
"""


def prefixes(routes):
    return ["/"] + [f"/route-{i}" for i in range(1, routes)]


def ours(backend, routes):
    table = FOLDER / "listeners"
    table.write_text("".join(f"{p} :{backend} strip_prefix=false\n" for p in prefixes(routes)))
    port = free_port()
    return port, Process([BUILD / "bin/gondolin", "gateway", "--listeners", table,
                          "--listen", f"127.0.0.1:{port}"])


def nginx(backend, routes):
    port = free_port()
    locations = "\n".join(f"location {p} {{ proxy_pass http://127.0.0.1:{backend}; }}"
                          for p in prefixes(routes))
    config = FOLDER / "nginx.conf"
    config.write_text(NGINX.format(folder=FOLDER, port=port, locations=locations))
    return port, Process(["nginx", "-c", config, "-e", "stderr"])


def haproxy(backend, routes):
    port = free_port()
    table, config = FOLDER / "haproxy.map", FOLDER / "haproxy.cfg"
    table.write_text("".join(f"{p} app\n" for p in prefixes(routes)))
    config.write_text(HAPROXY.format(port=port, map=table, backend=backend))
    return port, Process(["haproxy", "-db", "-f", config])


def original(backend, routes):
    port = free_port()
    program = shutil.copy(ROOT / "bench/peers/original.mjs", FOLDER / "peers")
    return port, Process([NODE, program, port, backend, routes])


ALL = {"ours": ours, "nginx": nginx, "haproxy": haproxy, "original": original}


def start(name, backend, routes=1):
    """(port, process) of the gateway, when it answers."""
    port, process = ALL[name](backend, routes)
    wait_for_port(port, process)
    return port, process
