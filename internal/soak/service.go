//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

func (s *soak) makeAuthorities(port int) {
	s.site = &site{authorities: map[string]*authority{}, faults: map[string]misbehaviour{}}
	s.site.stranger = newAuthority("stranger", -1, port, nil, s.clock)
	for p := range partners {
		root := newAuthority(fmt.Sprintf("root%d", p), p, port, nil, s.clock)
		s.above = append(s.above, root)
		s.site.authorities[root.name] = root
		for i, only := range []string{"", "ocsp", "crl"} {
			a := newAuthority(fmt.Sprintf("ca%d%c", p, 'a'+i), p, port, root, s.clock)
			a.names = only
			s.below = append(s.below, a)
			s.site.authorities[a.name] = a
		}
	}
	s.names = newNames(func(name string) (int, bool) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(name, domain), ".")
		a := s.site.authorities[rest]
		if a == nil {
			return -1, false
		}
		return a.partner, true
	})
	s.closers = append(s.closers, func() { _ = s.names.conn.Close() })
	address := s.names.conn.LocalAddr().String()
	s.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", address)
	}}
}

// startInstances starts the instances of the service.
func (s *soak) startInstances() error {
	s.makeServerCertificate()
	s.redisClient = s.newRedisClient()
	directory, err := dirstore.New(s.storeDir)
	if err != nil {
		return err
	}
	mutual := &tls.Config{Certificates: []tls.Certificate{s.serverCert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	shared := func() revocation.Store {
		store, err := redisstore.New(s.newRedisClient(), redisstore.Options{})
		must(err)
		return store
	}
	s.instances = []*instance{
		{name: "A (TLS, Redis, PreferOCSP)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{Store: shared()}},
		{name: "B (nginx, Redis, PreferCRL)", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1/32")}, config: revocation.Config{
			Store: shared(), Sources: revocation.PreferCRL,
		}},
		{name: "C (TLS, directory, PreferOCSP, StaleGrace)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{
			Store: directory, StaleGrace: 10 * time.Minute,
		}},
		{name: "D (TLS, directory, PreferCRL, SoftFail)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{
			Store: directory, Sources: revocation.PreferCRL, Mode: revocation.SoftFail,
		}},
		{name: "E (TLS, the operator's lists)", tls: mutual, source: certauth.TLS{}, isOperated: true, config: revocation.Config{
			Sources: revocation.CRLOnly, IgnoreCertificateURLs: true, IgnoreDeltas: true, PollInterval: pollInterval,
			Lists: []revocation.List{{Dir: s.operator.dir}}, Issuers: append(s.roots(), s.issuing()...),
		}},
	}
	for n, i := range s.instances {
		i.number, i.run, i.clock, i.log = n, s, &offset{}, &volume{}
		i.serve()
		s.closers = append(s.closers, i.close)
	}
	return s.startFront(s.instances[1])
}

func (s *soak) newRedisClient() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr: fmt.Sprintf("127.0.0.1:%d", s.redis.port), DialTimeout: 500 * time.Millisecond, ReadTimeout: time.Second, WriteTimeout: time.Second, MaxRetries: -1,
	})
	s.closers = append(s.closers, func() { _ = c.Close() })
	return c
}

func (s *soak) makeServerCertificate() {
	ca := newAuthority("servers", -1, 0, nil, s.clock)
	key := newKey()
	ca.port = 1
	cert := ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	s.serverCert = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	s.serverRoots = x509.NewCertPool()
	s.serverRoots.AddCert(ca.cert)
}

// startFront puts an nginx in front of an instance, configured as the documentation of
// forwarded.Nginx says.
func (s *soak) startFront(behind *instance) error {
	var files [2][]byte
	key, err := x509.MarshalPKCS8PrivateKey(s.serverCert.PrivateKey)
	if err != nil {
		return err
	}
	files[0] = append(encodePEM("CERTIFICATE", s.serverCert.Leaf.Raw), encodePEM("PRIVATE KEY", key)...)
	for _, cert := range append(s.roots(), s.issuing()...) {
		files[1] = append(files[1], encodePEM("CERTIFICATE", cert.Raw)...)
	}
	port := freePort()
	s.front = newNginx(s.dir, "front", fmt.Sprintf(`server {
		listen 127.0.0.1:%d ssl;
		ssl_certificate server.pem;
		ssl_certificate_key server.pem;
		ssl_client_certificate clients.pem;
		ssl_verify_client optional;
		ssl_verify_depth 3;
		location / {
			proxy_pass http://%s;
			proxy_set_header X-Client-Cert   $ssl_client_escaped_cert;
			proxy_set_header X-Client-Verify $ssl_client_verify;
		}
	}`, port, behind.address), port)
	for i, name := range []string{"server.pem", "clients.pem"} {
		if err := os.WriteFile(filepath.Join(s.front.dir, name), files[i], 0o600); err != nil {
			return err
		}
	}
	s.closers = append(s.closers, s.front.kill)
	return s.front.start()
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
