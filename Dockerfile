# The command line of masugata in a container: check, query, explain, replay, matrix on files you mount.
# It is no deployment of the live gateway yet: that needs a network of its own, NET_ADMIN alone, and a second
# container for untrusted documents, and comes with its own instructions.
#
#     make image
#     docker run --rm -v "$PWD:/data:ro" masugata check /data/policy

ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
# The whole lock first: this layer stays as long as the lock does.
RUN python3 -m venv /opt/masugata \
    && minor=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') \
    && /opt/masugata/bin/python -m pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes \
        -r "requirements/py$minor.txt"
COPY . .
RUN /opt/masugata/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/masugata/bin/python -m pip uninstall -y pip

FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        iproute2 nftables python3-minimal libpython3-stdlib util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/masugata masugata
COPY --from=build /opt/masugata /opt/masugata
COPY --from=build /src/examples /usr/share/masugata/examples
ENV PATH=/opt/masugata/bin:$PATH LANG=C.UTF-8
USER masugata
WORKDIR /var/lib/masugata
ENTRYPOINT ["masugata"]
CMD ["--help"]
