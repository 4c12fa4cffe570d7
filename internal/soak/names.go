//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
)

// nameFault is a fault of the name server for one partner's names.
type nameFault int

const (
	namesWork nameFault = iota
	namesMissing
	namesFail
	namesHang
	namesElsewhere // the address of a closed port
	namesForbidden // the address of a cloud's metadata service
)

// names is a name server on loopback for the partners' hosts (RFC 1035).
type names struct {
	conn *net.UDPConn

	mu     sync.Mutex
	faults map[int]nameFault // by partner
	of     func(name string) (partner int, ok bool)
}

func newNames(of func(string) (int, bool)) *names {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	n := &names{conn: conn, faults: map[int]nameFault{}, of: of}
	go n.serve()
	return n
}

func (n *names) set(partner int, fault nameFault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[partner] = fault
}

func (n *names) serve() {
	packet := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFromUDP(packet)
		if err != nil {
			return // closed
		}
		if answer := n.answer(packet[:size]); answer != nil {
			_, _ = n.conn.WriteToUDP(answer, from)
		}
	}
}

// answer answers one question of class IN. A nil result means that no answer is sent.
func (n *names) answer(packet []byte) []byte {
	const headerSize = 12
	if len(packet) < headerSize || binary.BigEndian.Uint16(packet[4:]) != 1 {
		return nil
	}
	var labels []string
	at := headerSize
	for {
		if at >= len(packet) {
			return nil
		}
		length := int(packet[at])
		at++
		if length == 0 {
			break
		}
		if length > 63 || at+length > len(packet) {
			return nil
		}
		labels = append(labels, string(packet[at:at+length]))
		at += length
	}
	if at+4 > len(packet) {
		return nil
	}
	kind := binary.BigEndian.Uint16(packet[at:])
	at += 4
	partner, known := n.of(strings.ToLower(strings.Join(labels, ".")))
	n.mu.Lock()
	fault := n.faults[partner]
	n.mu.Unlock()
	code, address := byte(0), net.IPv4(127, 0, 0, 1)
	switch {
	case !known || fault == namesMissing:
		code = 3
	case fault == namesFail:
		code = 2
	case fault == namesHang:
		return nil
	case fault == namesElsewhere:
		address = net.IPv4(127, 0, 0, 2)
	case fault == namesForbidden:
		address = net.IPv4(169, 254, 169, 254)
	}
	answer := append([]byte{}, packet[:at]...)
	answer[2], answer[3] = 0x84|packet[2]&1, 0x80|code // an authoritative answer
	for i := 6; i < headerSize; i++ {
		answer[i] = 0
	}
	if code == 0 && kind == 1 { // A; there are no AAAA records
		answer[7] = 1
		answer = append(answer, 0xC0, headerSize, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, address.To4()...)
	}
	return answer
}
