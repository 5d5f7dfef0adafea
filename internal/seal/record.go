package seal

import (
	"encoding/binary"
)

// A sealed record of a store is a header and what AES-256-GCM returns for the data:
//
//	0   1 byte    0xC1, as in every format of scskit.Codec, so that a version of scskit without
//	              keys takes the record for a later format, and keeps it
//	1   1 byte    'S'
//	2   1 byte    the version of the format: 1
//	3   4 bytes   the id of the key: the first bytes of SHA-256("scskit key id " + key)
//	7   12 bytes  the random nonce
//	19            the ciphertext
//	    16 bytes  the authentication tag
//
// The purpose and the version of the format, and the id of the record, are authenticated too. So
// data that is sealed elsewhere under the same key, or copied from another record, does not open.
const (
	recordHeader  = 7
	recordPurpose = "scskit record 1 " // followed by the record's id

	// RecordOverhead is the number of bytes that SealRecord adds.
	RecordOverhead = recordHeader + 12 + 16
)

// IsRecord reports whether b looks like a sealed record of any version.
func IsRecord(b []byte) bool { return len(b) >= 3 && b[0] == 0xc1 && b[1] == 'S' }

// SealRecord seals the data of the record with the given id under the first key.
func (s *Sealer) SealRecord(data []byte, id string) []byte {
	k := s.keys[0]
	size := RecordOverhead + len(data)
	// The authenticated text follows in the same memory, which saves an allocation.
	b := make([]byte, recordHeader, size+len(recordPurpose)+len(id))
	binding := append(append(b[size:size], recordPurpose...), id...)
	b[0], b[1], b[2] = 0xc1, 'S', 1
	binary.BigEndian.PutUint32(b[3:], k.id)
	b = k.Seal(b, nil, data, binding)
	return b[:len(b):len(b)]
}

// OpenRecord returns the data of a sealed record, and whether it was sealed under the first key.
// The error is ErrNotSealed, ErrUnknownKey or ErrOpen, or nil.
func (s *Sealer) OpenRecord(record []byte, id string) (data []byte, current bool, err error) {
	switch {
	case !IsRecord(record):
		return nil, false, ErrNotSealed
	case record[2] != 1 || len(record) < RecordOverhead:
		return nil, false, ErrOpen
	}
	keyID := binary.BigEndian.Uint32(record[3:])
	err = ErrUnknownKey
	size := len(record) - RecordOverhead
	for i, k := range s.keys {
		if k.id != keyID {
			continue
		}
		err = ErrOpen
		b := make([]byte, 0, size+len(recordPurpose)+len(id))
		binding := append(append(b[size:size], recordPurpose...), id...)
		if data, err := k.Open(b, nil, record[recordHeader:], binding); err == nil {
			return data[:len(data):len(data)], i == 0, nil
		}
	}
	return nil, false, err
}
