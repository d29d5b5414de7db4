# The command line of masugata in a container: check, query, explain, replay, matrix on files you mount.
# It is no deployment of the live gateway yet: that needs a network of its own, NET_ADMIN alone, and a second
# container for untrusted documents, and comes with its own instructions.
#
#     make image
#     docker run --rm -v "$PWD:/data:ro" masugata check /data/policy

ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
# The locks first: these layers stay as long as the locks do. One environment builds, the other is shipped.
RUN for name in build masugata; do python3 -m venv "/opt/$name" || exit 1; done; \
    minor=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') \
    && options="--no-cache-dir --no-deps --only-binary :all: --require-hashes" \
    && /opt/build/bin/python -m pip install $options -r "requirements/py$minor.txt" \
    && /opt/masugata/bin/python -m pip install $options -r "requirements/py$minor-runtime.txt"
COPY . .
RUN MASUGATA_REQUIRE_NATIVE=1 /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/masugata/bin/python -m pip install --no-deps --no-index dist/masugata-*.whl \
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
