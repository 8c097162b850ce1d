"""A client of the Kubernetes CRI (runtime.v1): protocol buffers by hand, gRPC over a unix socket."""


def encode_number(number):
    encoded = bytearray()
    while number > 0x7f:
        encoded.append(number & 0x7f | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def encode(message):
    """{field: value}: numbers, texts, messages of the same form, and lists of them for what is repeated."""
    encoded = b""
    for field, values in message.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                encoded += encode_number(field << 3) + encode_number(value)
                continue
            content = encode(value) if isinstance(value, dict) else value.encode()
            encoded += encode_number(field << 3 | 2) + encode_number(len(content)) + content
    return encoded


def decode(encoded):
    """{field: value} of numbers and bytes; of what is repeated the last."""
    message, place = {}, 0

    def number():
        nonlocal place
        value = shift = 0
        while True:
            byte = encoded[place]
            place += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(encoded):
        key = number()
        value = number()
        if key & 7 == 2:
            value, place = encoded[place:place + value], place + value
        message[key >> 3] = value
    return message


class Cri:
    def __init__(self, grpc, address):
        self.grpc = grpc
        self.channel = grpc.insecure_channel(f"unix://{address}")

    def __call__(self, method, message):
        call = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}", request_serializer=encode, response_deserializer=decode)
        return call(message, timeout=60)
