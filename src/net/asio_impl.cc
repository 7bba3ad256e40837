// The compiled halves of Asio and Beast; every other file of this folder sees declarations only.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
